import { describe, expect, it, test } from 'vitest';
import type { ContentOf, Template } from '#domain/delivery/channel.ts';
import { countSegments } from '#domain/message/segments.ts';
import { fillTemplate } from '#domain/message/template.ts';
import type { Channel } from '#schemas/delivery.ts';
import { escapeHtml } from '#platform/escape.ts';
import type { RenderInput } from './render-input.ts';
import { assertSlots, chooseLocale, renderMessage } from './render-message.ts';
import { LANGUAGES, wordsFor } from './words.ts';

const NOW = new Date('2026-05-01T10:00:00Z');
const at = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000);
const message = (change: Partial<RenderInput> = {}): RenderInput => ({
  class: 'ops',
  drill: false,
  kind: 'original',
  repeatCode: 'K7F',
  title: 'Flood at the bridge',
  text: { en: 'Hi {{first_name}}, bring sandbags to the bridge.', de: 'Hallo {{first_name}}, bitte Sandsäcke zur Brücke.' },
  said: null,
  fallbackLocale: 'en',
  answers: [
    { key: 'yes', label: 'Yes', counts: true },
    { key: 'no', label: 'No' },
    { key: 'later', label: 'Later' },
  ],
  share: false,
  tenantName: 'River Watch',
  publicUrl: 'https://m.example',
  expiresAt: at(3600),
  now: NOW,
  topicKey: 'msg_1',
  ...change,
});
const person = {
  name: 'Ana Souza',
  firstName: 'Ana',
  link: 'https://m.example/r/T',
  shareLink: 'https://m.example/s/T',
  unsubscribeLink: 'https://m.example/u/T',
};
const fill = (template: Template): string => fillTemplate(template, person);

function render<C extends Channel>(channel: C, change: Partial<RenderInput> = {}, locale = 'en'): ContentOf<C> {
  const content = renderMessage(message(change), locale, channel);
  if (content.channel !== channel) throw new Error(`rendered ${content.channel}`);
  return content;
}

describe('what a life message must say', () => {
  const said = { en: { who: 'All residents', where: 'the bridge', instruction: 'Bring sandbags', issuer: 'River Watch' }, de: { issuer: 'Flußwacht' } };
  const life = { class: 'life', answers: [], said, title: null } as const;

  it.each(['sms', 'push'] as const)('stands below the text in %s where the text does not have it, with its end', (channel) => {
    const { body } = render(channel, life);
    // "bring sandbags" and "the bridge" are in the text.
    expect(fill(body)).toContain('to the bridge.\nFor: All residents\nFrom: River Watch\nUntil May 1, 11:00 UTC');
  });

  it('stands in both parts of a mail, which tells its end anyway', () => {
    const mail = render('email', life);
    expect(fill(mail.text)).toContain('to the bridge.\nFor: All residents\nFrom: River Watch\n');
    expect(fill(mail.html)).toContain('to the bridge.<br>For: All residents<br>From: River Watch');
    expect(fill(mail.text)).not.toContain('Until');
  });

  it('speaks the language of its text, and tells the end on the clock of the organisation', () => {
    expect(fill(render('sms', { ...life, timeZone: 'Europe/Berlin' }, 'de').body)).toContain('Brücke.\nVon: Flußwacht\nBis 1. Mai, 13:00');
  });

  it('finds words whatever stands between them, and no parts of words', () => {
    const text = { en: 'ALL  residents: leave!' };
    const added = (who: string): boolean => fill(render('sms', { ...life, text, said: { en: { who } } }).body).includes('For: ');
    expect(added('all residents')).toBe(false);
    expect(added('resident')).toBe(true);
  });

  it('is no slot, and is not cut where the text is', () => {
    const body = fill(render('push', { ...life, text: { en: 'x'.repeat(1600) }, said: { en: { instruction: 'Go to {{link}}' } } }).body);
    expect(body).toContain('…\nGo to {{link}}\nUntil ');
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(1520);
  });

  it.each(LANGUAGES)('has words and times inside GSM-7 in %s', (locale) => {
    for (let month = 0; month < 12; month++) {
      const expiresAt = new Date(Date.UTC(2026, month, 3, 14));
      const { body } = render('sms', { ...life, text: { [locale]: 'x' }, fallbackLocale: locale, said: { [locale]: said.en }, expiresAt }, locale);
      expect(countSegments(fill(body))).toMatchObject({ encoding: 'GSM-7', culprits: [] });
    }
  });
});

describe('chooseLocale', () => {
  test.each([
    ['en', 'en'],
    ['DE', 'de'],
    ['de-AT', 'de'],
    ['de_CH', 'de'],
    ['pt', 'pt-BR'],
    ['pt-BR', 'pt-BR'],
    ['fr', 'en'],
    [null, 'en'],
    ['', 'en'],
  ])('%s reads %s', (wanted, chosen) => {
    expect(chooseLocale({ de: '', en: '', 'pt-BR': '' }, 'en', wanted)).toBe(chosen);
  });

  it('takes the first text where the fallback is missing', () => {
    expect(chooseLocale({ de: '' }, 'en', 'fr')).toBe('de');
  });
});

describe('SMS', () => {
  it('is text, answers and link, each on its own line', () => {
    expect(fill(render('sms').body)).toBe('Hi Ana, bring sandbags to the bridge.\nReply 1 Yes, 2 No, 3 Later\nhttps://m.example/r/T');
  });

  it('speaks the language of the text', () => {
    expect(fill(render('sms', {}, 'de-AT').body)).toBe('Hallo Ana, bitte Sandsäcke zur Brücke.\nAntwort: 1 Yes, 2 No, 3 Later\nhttps://m.example/r/T');
  });

  it('carries the mark of a life message alone', () => {
    expect(fill(render('sms', { class: 'life' }).body)).toMatch(/\n#K7F$/);
    expect(fill(render('sms', { class: 'life', repeatCode: '#K7F' }).body)).toMatch(/\n#K7F$/);
    expect(fill(render('sms').body)).not.toContain('K7F');
  });

  it('has the link once, and none where there is nothing to open', () => {
    expect(fill(render('sms', { text: { en: 'Answer at {{link}} please' } }).body)).toBe('Answer at https://m.example/r/T please\nReply 1 Yes, 2 No, 3 Later');
    expect(fill(render('sms', { answers: [], text: { en: 'Done.' } }).body)).toBe('Done.');
    expect(fill(render('sms', { answers: [], share: true, text: { en: 'Done.' } }).body)).toBe('Done.\nhttps://m.example/r/T');
  });

  it('shows keys that are numbers themselves', () => {
    const answers = ['0', '5', 'x'].map((key) => ({ key, label: `L${key}` }));
    expect(fill(render('sms', { answers }).body)).toContain('\nReply 0 L0, 5 L5, x Lx\n');
  });

  test.each([
    [at(60), 60],
    [at(0), 1],
    [at(-60), 1],
    [at(86_400), 36_000],
    [null, 36_000],
  ])('valid until %s is %d s', (expiresAt, validitySeconds) => {
    expect(render('sms', { expiresAt }).validitySeconds).toBe(validitySeconds);
  });

  it.each(LANGUAGES)('stays in GSM-7 with our own words in %s', (language) => {
    for (const kind of ['correction', 'all_clear'] as const) {
      const body = fill(render('sms', { text: { [language]: 'Text' }, fallbackLocale: language, drill: true, class: 'life', kind }, language).body);
      expect(countSegments(body)).toMatchObject({ encoding: 'GSM-7', culprits: [] });
    }
  });
});

describe('a drill', () => {
  it.each(LANGUAGES)('starts with EXERCISE in every channel in %s', (language) => {
    const change = { drill: true, text: { [language]: 'Text' }, fallbackLocale: language };
    const { title, body } = render('push', change, language);
    const { subject, text } = render('email', change, language);
    for (const part of [render('sms', change, language).body, title, body, subject, text]) expect(fill(part)).toMatch(/^EXERCISE\b/);
    expect(fill(render('email', change, language).html)).toContain(escapeHtml(wordsFor(language).exercise.trim().replace(/ ?:$/, '')));
  });

  it('is marked once', () => {
    expect(fill(render('sms', { drill: true, text: { en: 'EXERCISE: come' }, answers: [] }).body)).toBe('EXERCISE: come');
    expect(fill(render('sms', { drill: false, text: { en: 'EXERCISE: come' }, answers: [] }).body)).toBe('EXERCISE: come');
  });
});

it('says what a correction is, in the language of the text', () => {
  expect(fill(render('sms', { kind: 'correction' }).body)).toMatch(/^CORRECTION: Hi Ana/);
  expect(fill(render('push', { kind: 'all_clear' }, 'de').body)).toMatch(/^ENTWARNUNG: Hallo Ana/);
  expect(fill(render('email', { kind: 'all_clear', drill: true }).subject)).toBe('EXERCISE: ALL CLEAR: Flood at the bridge');
});

describe('e-mail', () => {
  it('has subject, plain text and where it comes from', () => {
    const { subject, text } = render('email', { share: true, class: 'life' });
    expect(fill(subject)).toBe('Flood at the bridge');
    expect(fill(text)).toBe(
      'Hi Ana, bring sandbags to the bridge.\n\n- Yes\n- No\n- Later\nAnswer here: https://m.example/r/T\n\nPass it on: https://m.example/s/T\n\n' +
        'Valid until Fri, May 1, 11:00 UTC\n\n#K7F\n\n-- \nRiver Watch\n' +
        'You receive this because River Watch has this address for messages to you. Our links begin with https://m.example/.\n',
    );
  });

  it('tells until when it is valid in the zone of the reader', () => {
    const until = (timeZone: string) => /Valid until .*/.exec(fill(render('email', { timeZone }).text))?.[0];
    expect(['Asia/Tokyo', 'America/New_York', 'Mars/Olympus'].map(until)).toEqual([
      'Valid until Fri, May 1, 20:00 GMT+9',
      'Valid until Fri, May 1, 07:00 EDT',
      'Valid until Fri, May 1, 11:00 UTC',
    ]);
  });

  it('takes the first line where there is no title', () => {
    const text = { en: 'Dear {{first_name}}, come\nto {{link}}' };
    expect(fill(render('email', { title: null, text }).subject)).toBe('Dear Ana, come');
    expect([...fill(render('email', { title: null, text: { en: 'word '.repeat(100) } }).subject)].length).toBeLessThanOrEqual(120);
    expect(fill(render('email', { title: 'two\nlines' }).subject)).toBe('two lines');
  });

  it('escapes what people wrote and links the buttons to the page', () => {
    const html = fill(
      render('email', { title: '<script>', text: { en: 'a < b & {{link}}\n"c"' }, answers: [{ key: 'y', label: '<Yes>' }], tenantName: "O'Hara & Co" }).html,
    );
    expect(html).not.toContain('<script>');
    expect(html).toContain('&lt;script&gt;');
    expect(html).toContain('a &lt; b &amp; <a href="https://m.example/r/T"');
    expect(html).toContain('<br>&quot;c&quot;');
    expect(html).toContain('href="https://m.example/r/T?answer=y"');
    expect(html).toContain('>&lt;Yes&gt;</a>');
    expect(html).toContain('O&#39;Hara &amp; Co');
    expect(html).toContain('<html lang="en" dir="ltr">');
  });

  it('offers one-click unsubscribing for bulk alone', () => {
    const bulk = render('email', { class: 'bulk' });
    expect(bulk.oneClickUnsubscribe).toBe(true);
    expect(fill(bulk.html)).toContain('https://m.example/u/T');
    expect(fill(bulk.text)).toContain('Unsubscribe: https://m.example/u/T');
    const life = render('email', { class: 'life' });
    expect(life.oneClickUnsubscribe).toBe(false);
    expect(fill(life.html) + fill(life.text)).not.toContain('/u/');
  });

  it('is laid out from right to left where the text is', () => {
    expect(fill(render('email', { text: { ar: 'نص' }, fallbackLocale: 'ar' }, 'ar').html)).toContain('<html lang="ar" dir="rtl">');
  });

  it('does not say the title twice', () => {
    const html = fill(render('email', { title: 'Storm', text: { en: 'Storm\nStay in.' } }).html);
    expect(html.match(/Storm/g)).toHaveLength(2); // <title> and <h1>
  });
});

describe('push', () => {
  it('is title, text and two buttons', () => {
    const push = render('push');
    expect(fill(push.title)).toBe('Flood at the bridge');
    expect(fill(push.body)).toBe('Hi Ana, bring sandbags to the bridge.');
    expect(push.actions).toEqual([
      { action: 'yes', title: 'Yes' },
      { action: 'no', title: 'No' },
    ]);
    expect(push.lang).toBe('en');
    expect(fill(render('push', { title: null }).title)).toBe('River Watch');
  });

  test.each([
    ['life', 'high'],
    ['ops', 'normal'],
    ['bulk', 'low'],
  ] as const)('%s is urgency %s', (kind, urgency) => {
    expect(render('push', { class: kind }).pushUrgency).toBe(urgency);
  });

  test.each([
    [at(90.9), 90],
    [at(-5), 0],
    [at(100 * 86_400), 2_419_200],
    [null, 86_400],
  ])('until %s lives %d s', (expiresAt, ttlSeconds) => {
    expect(render('push', { expiresAt }).ttlSeconds).toBe(ttlSeconds);
  });

  it('replaces what it follows at the push service', () => {
    const { topic } = render('push');
    expect(topic).toMatch(/^[A-Za-z0-9_-]{32}$/);
    expect(render('push', { kind: 'correction' }).topic).toBe(topic);
    expect(render('push', { topicKey: 'msg_2' }).topic).not.toBe(topic);
  });

  it('cuts a long text between letters, so that it fits an encrypted record', () => {
    const body = fill(render('push', { text: { hi: '👩‍🚒'.repeat(400) }, fallbackLocale: 'hi', class: 'life' }).body);
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(1520);
    expect(body).toMatch(/^(👩‍🚒)+…\nUntil .+ UTC\n#K7F$/u);
  });
});

it('names the text whose slot nobody fills', () => {
  expect(assertSlots({ en: '{{name}}', de: 'x {{vorname}}' })).toMatchObject([{ field: 'text.de', code: 'unknown_slot' }]);
});
