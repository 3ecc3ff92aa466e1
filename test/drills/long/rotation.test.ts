import { testRotationDrill } from '../rotation-drill';

testRotationDrill(1_000);
