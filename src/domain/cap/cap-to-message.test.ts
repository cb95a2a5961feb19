import { describe, expect, it, test } from 'vitest';
import { messageInputSchema } from '#schemas/message.ts';
import { type CapAlert, type CapInfo, capTime, formatReference, parseReferences } from './cap-alert.ts';
import { type CapDraft, capToMessage } from './cap-to-message.ts';
import { type CapSource, messageToCap } from './message-to-cap.ts';

const NOW = Date.parse('2026-05-01T10:00:00Z');
const info = (change: Partial<CapInfo> = {}): CapInfo => ({
  language: 'en',
  category: ['Met'],
  event: 'Flood',
  responseType: ['Evacuate'],
  urgency: 'Immediate',
  severity: 'Severe',
  certainty: 'Observed',
  eventCode: [],
  expires: '2026-05-01T14:00:00+02:00',
  headline: 'Flood warning',
  description: 'The dam\n   is about to break.',
  instruction: 'Go uphill now.',
  parameter: [],
  resource: [],
  area: [{ areaDesc: 'Valley', polygon: [], circle: ['1,2 3'], geocode: [] }],
  ...change,
});
const alert = (change: Partial<CapAlert> = {}): CapAlert => ({
  identifier: 'A-1',
  sender: 'met@example.test',
  sent: '2026-05-01T11:00:00+02:00',
  status: 'Actual',
  msgType: 'Alert',
  scope: 'Public',
  code: [],
  info: [info()],
  ...change,
});

function draftOf(change: Partial<CapAlert> = {}): CapDraft {
  const draft = capToMessage(alert(change), false, NOW);
  if ('errors' in draft) throw new Error(JSON.stringify(draft.errors));
  return draft;
}
const errorsOf = (change: Partial<CapAlert>) => {
  const draft = capToMessage(alert(change), false, NOW);
  return 'errors' in draft ? draft.errors.map(({ field, code }) => `${field} ${code}`) : [];
};

describe('capToMessage', () => {
  it('makes a draft that the API itself would take', () => {
    const { input, cap, follows } = draftOf();
    expect(messageInputSchema.parse(input)).toEqual(input);
    expect(input).toEqual({
      class: 'life',
      drill: false,
      title: 'Flood warning',
      says: { who: { en: 'Valley' }, where: { en: 'Valley' }, instruction: { en: 'Go uphill now.' } },
      text: { en: 'Flood warning\nThe dam\nis about to break.\nGo uphill now.' },
      audience: { near: { lat: 1, lon: 2, km: 3 } },
      channels: ['push', 'sms', 'email'],
      answers: [],
      share: false,
      expiresAt: '2026-05-01T12:00:00.000Z',
      launch: false,
    });
    expect(cap).toMatchObject({ identifier: 'A-1', signed: false, info: [{ areaDesc: ['Valley'], severity: 'Severe' }] });
    expect(follows).toEqual([]);
  });

  test.each([
    ['Actual', 'Extreme', 'Immediate', 'life'],
    ['Actual', 'Severe', 'Immediate', 'life'],
    ['Actual', 'Moderate', 'Immediate', 'ops'],
    ['Actual', 'Extreme', 'Expected', 'ops'],
    ['Exercise', 'Extreme', 'Immediate', 'ops'],
  ] as const)('%s %s %s is %s', (status, severity, urgency, messageClass) => {
    expect(draftOf({ status, info: [info({ severity, urgency })] }).input.class).toBe(messageClass);
  });

  test.each([
    ['Actual', false],
    ['Exercise', true],
    ['Test', true],
    ['Draft', true],
  ] as const)('status %s: drill %s', (status, drill) => {
    expect(draftOf({ status }).input.drill).toBe(drill);
  });

  it('has a text for each language', () => {
    const { text } = draftOf({ info: [info({ language: 'es-US', headline: 'Aviso' }), info(), info({ language: 'fr' })] }).input;
    expect(Object.keys(text)).toEqual(['es-US', 'en', 'fr']);
    expect(Object.keys(draftOf({ info: [info({ language: undefined as never })] }).input.text)).toEqual(['en-US']);
    expect(Object.keys(draftOf({ info: [info({ language: 'de-a' })] }).input.text)).toEqual(['de']);
    expect(Object.keys(draftOf({ info: [info({ language: 'qqq' })] }).input.text)).toEqual(['en']);
  });

  it('puts infos of one language together', () => {
    const { text } = draftOf({ info: [info(), info(), info({ headline: 'Later', description: '', instruction: '' })] }).input;
    expect(text).toEqual({ en: 'Flood warning\nThe dam\nis about to break.\nGo uphill now.\n\nLater' });
  });

  it('cuts the description, never what to do', () => {
    const text = draftOf({ info: [info({ description: 'x '.repeat(2000) })] }).input.text['en'] ?? '';
    expect(text.length).toBeLessThanOrEqual(1600);
    expect(text).toMatch(/^Flood warning\nx x .*x\.\.\.\nGo uphill now\.$/);
    expect(messageInputSchema.shape.text.safeParse(draftOf({ info: [info({ instruction: '😀'.repeat(2000) })] }).input.text).success).toBe(true);
  });

  it('says the headline once and takes slots apart', () => {
    const { text, title } = draftOf({ info: [info({ description: 'Flood warning: {{name}} }}\tend' })] }).input;
    expect(text['en']).toBe('Flood warning\n: { {name} } } } end\nGo uphill now.');
    expect(title).toBe('Flood warning');
    expect(draftOf({ info: [info({ headline: ' \n ', event: 'E'.repeat(200) })] }).input.title).toBe(`${'E'.repeat(117)}...`);
  });

  it('has a text whatever is blank', () => {
    const { input } = draftOf({ info: [info({ headline: '', event: ' ', description: '', instruction: '' })] });
    expect(messageInputSchema.safeParse(input).success).toBe(true);
  });

  test.each([
    [{ expires: '2026-05-01T10:30:00-00:00' }, '2026-05-01T10:30:00.000Z'],
    [{ expires: '2026-06-01T10:30:00-00:00' }, '2026-05-02T10:00:00.000Z'],
    [{ expires: '2024-05-01T10:30:00-00:00' }, '2024-05-01T10:30:00.000Z'],
    [{ expires: undefined as never }, '2026-05-02T09:00:00.000Z'],
  ])('%o expires at %s', (change, expiresAt) => {
    expect(draftOf({ info: [info(change)] }).input.expiresAt).toBe(expiresAt);
  });

  it('knows what an update or a cancel is about', () => {
    const references = 'met@example.test,A-0,2026-05-01T09:00:00+02:00 met@example.test,A-00,2026-05-01T08:00:00+02:00';
    expect(draftOf({ msgType: 'Update', references }).follows.map((f) => f.identifier)).toEqual(['A-0', 'A-00']);
    expect(draftOf({ msgType: 'Cancel', references, info: [], note: 'Error in the model' }).input).toMatchObject({
      text: { en: 'Error in the model' },
      title: 'Error in the model',
      audience: { not: { all: true } },
    });
    expect(draftOf({ references }).follows).toEqual([]);
  });

  test.each<[Partial<CapAlert>, string]>([
    [{ identifier: 'a b' }, 'identifier cap_identifier'],
    [{ identifier: '' }, 'identifier cap_identifier'],
    [{ sender: 'a,b' }, 'sender cap_identifier'],
    [{ sender: 'a&b' }, 'sender cap_identifier'],
    [{ sender: 'a'.repeat(301) }, 'sender cap_identifier'],
    [{ msgType: 'Ack' }, 'msgType cap_not_for_people'],
    [{ msgType: 'Error' }, 'msgType cap_not_for_people'],
    [{ status: 'System' }, 'status cap_not_for_people'],
    [{ scope: 'Restricted' }, 'restriction cap_required'],
    [{ scope: 'Private' }, 'addresses cap_required'],
    [{ msgType: 'Update' }, 'references cap_required'],
    [{ msgType: 'Cancel', references: 'A-0' }, 'references cap_references'],
    [{ info: [] }, 'info cap_required'],
    [{ info: [info({ area: [{ areaDesc: 'x', polygon: ['1,2 3,4'], circle: [], geocode: [] }] })] }, 'info[0].area[0].polygon[0] cap_polygon'],
  ])('%o is refused', (change, error) => {
    expect(errorsOf(change)).toEqual([error]);
  });
});

describe('messageToCap', () => {
  const source = (change: Partial<CapSource> = {}): CapSource => ({
    id: 'msg_abc',
    sender: 'm.example',
    tenantName: 'River Watch',
    class: 'life',
    drill: false,
    kind: 'original',
    title: null,
    text: { en: 'Hi {{first_name}}, the dam breaks.\nGo to {{link}}', de: 'Der Damm bricht.' },
    said: null,
    audience: { near: { lat: 1, lon: 2, km: 3 } },
    share: false,
    createdAt: new Date(NOW),
    launchedAt: new Date(NOW + 1500),
    expiresAt: new Date(NOW + 3_600_000),
    cap: null,
    follows: [],
    ...change,
  });

  it('says in CAP words what the class means', () => {
    expect(messageToCap(source())).toMatchObject({
      identifier: 'msg_abc',
      sender: 'm.example',
      sent: '2026-05-01T10:00:01-00:00',
      status: 'Actual',
      msgType: 'Alert',
      scope: 'Restricted',
      restriction: 'For the people whom River Watch addresses.',
      info: [
        {
          language: 'en',
          category: ['Safety'],
          event: 'Hi, the dam breaks.',
          urgency: 'Immediate',
          severity: 'Severe',
          certainty: 'Unknown',
          expires: '2026-05-01T11:00:00-00:00',
          senderName: 'River Watch',
          description: 'Hi, the dam breaks.\nGo to',
          area: [{ areaDesc: 'The area on the map', circle: ['1,2 3'] }],
        },
        { language: 'de', description: 'Der Damm bricht.' },
      ],
    });
    expect(messageToCap(source({ audience: { all: true } })).info[0]?.area).toEqual([]);
    expect(messageToCap(source({ share: true })).scope).toBe('Public');
  });

  it('tells drafts and drills from what is real', () => {
    expect(messageToCap(source({ launchedAt: null }))).toMatchObject({ status: 'Draft', sent: '2026-05-01T10:00:00-00:00' });
    const drill = messageToCap(source({ drill: true }));
    expect(drill.status).toBe('Exercise');
    expect(drill.info[0]?.description).toMatch(/^EXERCISE/);
  });

  it('refers to what it follows', () => {
    const follows = [{ sender: 'm.example', identifier: 'msg_0', sent: '2026-05-01T09:00:00-00:00' }];
    const cancel = messageToCap(source({ kind: 'all_clear', follows }));
    expect(cancel).toMatchObject({
      msgType: 'Cancel',
      references: 'm.example,msg_0,2026-05-01T09:00:00-00:00',
      info: [{ responseType: ['AllClear'], urgency: 'Past' }, {}],
    });
    expect(parseReferences(cancel.references ?? '')).toEqual(follows);
    expect(messageToCap(source({ kind: 'correction', follows })).msgType).toBe('Update');
  });

  it('keeps what the alert said of the danger, so that class and area survive a round trip', () => {
    const { input, cap } = draftOf({ info: [info(), info({ language: 'fr', headline: 'Crue' })] });
    const out = messageToCap(source({ ...input, title: input.title ?? null, expiresAt: new Date(input.expiresAt ?? NOW), cap }));
    expect(out).toMatchObject({ source: 'met@example.test,A-1,2026-05-01T11:00:00+02:00', scope: 'Public' });
    expect(out.info[1]).toMatchObject({
      language: 'fr',
      headline: 'Crue',
      certainty: 'Observed',
      responseType: ['Evacuate'],
      area: [{ areaDesc: 'Valley', circle: ['1,2 3'] }],
    });
    const again = capToMessage(out, false, NOW);
    expect('errors' in again ? again.errors : again.input).toMatchObject({
      class: 'life',
      audience: input.audience,
      expiresAt: input.expiresAt,
      text: { fr: input.text['fr'] },
    });
  });
});

test('references', () => {
  const reference = { sender: 's', identifier: 'i', sent: 't' };
  expect(parseReferences(` ${formatReference(reference)}\n s,i,t `)).toEqual([reference, reference]);
  for (const wrong of ['s,i', 's,i,t,x', ',i,t', 's,i,t x']) expect(parseReferences(wrong)).toBeUndefined();
  expect(capTime(new Date(NOW + 999))).toBe('2026-05-01T10:00:00-00:00');
});
