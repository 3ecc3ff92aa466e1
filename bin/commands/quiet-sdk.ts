/** Imported before any SDK client: its notice about future versions of Node.js would stand in the midst of a run's lines. */
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
