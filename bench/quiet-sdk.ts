// Imported before any SDK client, which otherwise prints a notice about Node.js versions between the lines of a run.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
