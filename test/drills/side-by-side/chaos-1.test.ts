import { testChaos } from './chaos';

testChaos(1);
