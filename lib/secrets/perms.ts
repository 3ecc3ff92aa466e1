/** The rotation function, on the secret that it rotates. */
export const ROTATE_SECRET_ACTIONS = [
  'secretsmanager:DescribeSecret',
  'secretsmanager:GetSecretValue',
  'secretsmanager:ListSecretVersionIds',
  'secretsmanager:PutSecretValue',
  'secretsmanager:UpdateSecretVersionStage',
];

/** The rotation function, on a secret that a function of the user rotates: it reads no value. */
export const WATCH_SECRET_ACTIONS = ['secretsmanager:DescribeSecret', 'secretsmanager:ListSecretVersionIds'];
