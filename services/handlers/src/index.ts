/** The built-in handlers, for whoever composes them with others. */

export { type BuiltInOptions, builtInHandlers } from './built-in.ts'
export { config, type HandlersConfig, smsConfigShape } from './config.ts'
export type { SmsGatewayOptions } from './sms-gateway.ts'
