import { defaultProvider } from '../../../../lambda/shared/aws/container-credentials';
import { type HttpStub, startStub } from '../../worker/support/http-stub';

const environment = process.env;
let endpoint: HttpStub;
let expiration = '2033-01-01T00:00:00Z';

beforeAll(async () => {
  endpoint = await startStub(({ headers }) =>
    headers.authorization === 'of the task'
      ? {
          body: {
            AccessKeyId: 'ASIATASK',
            SecretAccessKey: 'secret',
            Token: 'token',
            Expiration: expiration,
          },
        }
      : { status: 401, body: {} },
  );
});
afterAll(() => endpoint.close());
beforeEach(() => {
  endpoint.requests.length = 0;
  process.env = { ...environment, AWS_ACCESS_KEY_ID: 'AKIAENV', AWS_SECRET_ACCESS_KEY: 'env' };
});
afterEach(() => {
  process.env = environment;
});

test("a container has its task's credentials, with the time by which they must be fetched again", async () => {
  process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI = `${endpoint.endpoint}/credentials`;
  process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN = 'of the task';
  expect(await defaultProvider()()).toMatchObject({
    accessKeyId: 'ASIATASK',
    secretAccessKey: 'secret',
    sessionToken: 'token',
    expiration: new Date('2033-01-01T00:00:00Z'),
  });
});

test('credentials are kept until five minutes before they expire, and fetched once however many ask at a time', async () => {
  process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI = `${endpoint.endpoint}/credentials`;
  process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN = 'of the task';
  expiration = new Date(Date.now() + 10 * 60_000).toISOString();
  const lasting = defaultProvider();
  await Promise.all([lasting(), lasting(), lasting()]);
  await lasting();
  expect(endpoint.requests).toHaveLength(1);
  expiration = new Date(Date.now() + 4 * 60_000).toISOString();
  const short = defaultProvider();
  await short();
  const before = endpoint.requests.length;
  await short();
  expect(endpoint.requests).toHaveLength(before + 1);
});

test('without an endpoint the environment counts, as when a container is tried by hand', async () => {
  expect(await defaultProvider()()).toMatchObject({ accessKeyId: 'AKIAENV', secretAccessKey: 'env' });
});
