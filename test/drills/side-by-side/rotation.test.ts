import { testRotationDrill } from '../rotation-drill';

// Fewer tasks than in test:all, with as many rotations, so that a parallel drill has a processor.
testRotationDrill(300, { ratePerSecond: 6 });
