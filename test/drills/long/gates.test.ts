import { testGateDrill } from '../gate-drill';

testGateDrill('gate-error-rate', 'errors');
testGateDrill('gate-tool-calls', 'toolCalls');
