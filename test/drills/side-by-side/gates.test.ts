import { testGate } from '../gate';

// The gate of latency is not here: two drills at once take each other's time.
testGate('gate-cost', 'cost');
testGate('gate-error-rate', 'errors');
testGate('gate-tool-calls', 'toolCalls');
testGate('gate-quality', 'quality');
testGate('gate-custom', 'answerLength');
