import { testChaos } from './chaos';

testChaos(3);
