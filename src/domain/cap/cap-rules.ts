import { type CapAlert, type CapError, parseReferences } from './cap-alert.ts';

/** Longer identifiers cannot be kept unique in the database; real ones have under 100 characters. */
const MAX_ID_CHARACTERS = 300;

/** Checks what CAP 1.2 demands in words beyond its schema (section 3.2), as far as an alert is of no use without it. */
export function capRuleErrors(alert: CapAlert): CapError[] {
  const errors: CapError[] = [];
  const add = (field: string, code: string, detail: string): number => errors.push({ field, code, detail });
  for (const field of ['identifier', 'sender'] as const) {
    const value = alert[field];
    if (value === '' || /[\s,<&]/.test(value)) add(field, 'cap_identifier', 'must not be empty nor contain a space, comma, "<" or "&"');
    else if (value.length > MAX_ID_CHARACTERS) add(field, 'cap_identifier', `must not be longer than ${MAX_ID_CHARACTERS} characters`);
  }
  if (alert.msgType === 'Ack' || alert.msgType === 'Error')
    add('msgType', 'cap_not_for_people', `${alert.msgType} is a receipt between systems; nothing is to be sent to people`);
  if (alert.status === 'System') add('status', 'cap_not_for_people', 'System is for messages between systems; nothing is to be sent to people');
  if (alert.scope === 'Restricted' && !alert.restriction?.trim()) add('restriction', 'cap_required', 'is required where scope is Restricted');
  if (alert.scope === 'Private' && !alert.addresses?.trim()) add('addresses', 'cap_required', 'is required where scope is Private');
  const follows = alert.msgType === 'Update' || alert.msgType === 'Cancel';
  if (follows && !alert.references?.trim()) add('references', 'cap_required', `is required where msgType is ${alert.msgType}`);
  else if (follows && !parseReferences(alert.references ?? ''))
    add('references', 'cap_references', 'must be "sender,identifier,sent", several with spaces between');
  if (alert.info.length === 0 && alert.msgType !== 'Cancel') add('info', 'cap_required', 'an alert without info says nothing to anybody');
  return errors;
}
