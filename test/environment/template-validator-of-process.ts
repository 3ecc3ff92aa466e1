/** Stands in for `@aws/cloudformation-validate`: the one of the process in place of one for the test file. */
const { templateValidatorOfProcess } = globalThis as unknown as { templateValidatorOfProcess: () => object };

module.exports = templateValidatorOfProcess();
