import { testGate } from './gate';

testGate('gate-latency', 'latency');
