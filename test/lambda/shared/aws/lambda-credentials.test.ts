import { defaultProvider } from '../../../../lambda/shared/aws/lambda-credentials';

const environment = process.env;
afterEach(() => {
  process.env = environment;
});

test.each([{ AWS_SESSION_TOKEN: 'token' }, {}])(
  'the credentials are those of the environment (%j)',
  async (session) => {
    process.env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', ...session };
    await expect(defaultProvider()()).resolves.toEqual({
      accessKeyId: 'id',
      secretAccessKey: 'secret',
      ...('AWS_SESSION_TOKEN' in session ? { sessionToken: 'token' } : {}),
    });
  },
);

test.each(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])('fails without %s', async (name) => {
  process.env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', [name]: '' };
  await expect(defaultProvider()()).rejects.toThrow(name);
});
