/** Replaces `@aws/cloudformation-validate`: one validator for the process instead of one per test file. */
const { templateValidatorOfProcess } = globalThis as unknown as { templateValidatorOfProcess: () => object };

module.exports = templateValidatorOfProcess();
