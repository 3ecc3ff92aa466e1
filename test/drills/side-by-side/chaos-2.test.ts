import { testChaosDrill } from './chaos-drill';

testChaosDrill(2);
