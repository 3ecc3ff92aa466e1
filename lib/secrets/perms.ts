/** What the rotation function may do with the secret that it rotates. */
export const ROTATE_SECRET_ACTIONS = [
  'secretsmanager:DescribeSecret',
  'secretsmanager:GetSecretValue',
  'secretsmanager:ListSecretVersionIds',
  'secretsmanager:PutSecretValue',
  'secretsmanager:UpdateSecretVersionStage',
];

/** What it may do with a secret that a function of the user's rotates: it reads no value. */
export const WATCH_SECRET_ACTIONS = ['secretsmanager:DescribeSecret', 'secretsmanager:ListSecretVersionIds'];
