export * from './gate-options';
export * from './quality-gate';
export * from './quality-gates';
export * from './severity';
