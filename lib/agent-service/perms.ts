/** Every action that this folder grants: what alarms need to say that they fire. */

export const ALARM_TOPIC_ACTIONS = ['sns:Publish'];

/**
 * On the key of an encrypted topic
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html).
 */
export const ALARM_KEY_ACTIONS = ['kms:Decrypt', 'kms:GenerateDataKey'];
