import { testGate } from '../gate';

// The gate of latency is not here: two drills at once take each other's time. Those of errors and tool calls are in test:long.
testGate('gate-cost', 'cost');
testGate('gate-quality', 'quality');
testGate('gate-custom', 'answerLength');
