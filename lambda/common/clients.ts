export { documentClient } from './clients/dynamodb';
