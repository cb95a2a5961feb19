import { expect, test } from 'vitest';
import { escapeHtml, escapeXml, unescapeMarkup } from './escape.ts';

const TEXT = `<a href="x">Fell & Rescue's</a> &amp; constructor`;

test('every character with a meaning is escaped, once', () => {
  expect(escapeHtml(TEXT)).toBe('&lt;a href=&quot;x&quot;&gt;Fell &amp; Rescue&#39;s&lt;/a&gt; &amp;amp; constructor');
  expect(escapeXml(TEXT)).toBe('&lt;a href=&quot;x&quot;&gt;Fell &amp; Rescue&apos;s&lt;/a&gt; &amp;amp; constructor');
});

test('what was escaped comes back as it was', () => {
  for (const escape of [escapeHtml, escapeXml]) expect(unescapeMarkup(escape(TEXT))).toBe(TEXT);
});

test('numbers are read in both notations, and what means nothing stays', () => {
  expect(unescapeMarkup('&#39;&#x1F692;&nbsp;&')).toBe("'🚒 &");
  expect(unescapeMarkup('&unknown; &constructor; &#1114112;')).toBe('&unknown; &constructor; &#1114112;');
});
