import { testGate } from '../gate';

testGate('gate-error-rate', 'errors');
testGate('gate-tool-calls', 'toolCalls');
