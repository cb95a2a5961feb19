import { describe, expect, it, test } from 'vitest';
import { fillTemplate, hasSlot, parseTemplate, slotProblems } from './template.ts';

describe('parseTemplate', () => {
  it('finds the slots people write', () => {
    expect(parseTemplate('Hi {{first_name}}, see {{ link }}')).toEqual(['Hi ', { slot: 'firstName' }, ', see ', { slot: 'link' }]);
    expect(parseTemplate('{{name}}')).toEqual([{ slot: 'name' }]);
    expect(parseTemplate('plain {braces}')).toEqual(['plain {braces}']);
    expect(hasSlot(parseTemplate('a {{link}}'), 'link')).toBe(true);
    expect(hasSlot(parseTemplate('a {{name}}'), 'link')).toBe(false);
  });

  it.each(['toString', '__proto__', 'constructor'])('knows no slot %s', (name) => {
    expect(slotProblems(`{{${name}}}`)).toMatchObject([{ code: 'unknown_slot' }]);
  });
});

test.each([
  ['fine {{name}} and {{ first_name }}', []],
  ['{{nmae}}', ['unknown_slot']],
  ['{{}}', ['unknown_slot']],
  ['{{name', ['slot_not_closed']],
  ['name}}', ['slot_not_closed']],
  ['{{x}} {{y}} }}', ['unknown_slot', 'unknown_slot', 'slot_not_closed']],
])('slotProblems(%j)', (text, codes) => {
  expect(slotProblems(text).map((problem) => problem.code)).toEqual(codes);
});

describe('fillTemplate', () => {
  test.each([
    ['Hi {{first_name}}, come', 'Hi Ana, come', 'Hi, come'],
    ['{{first_name}}, come', 'Ana, come', 'come'],
    ['{{first_name}} come', 'Ana come', 'come'],
    ['Come {{first_name}} now', 'Come Ana now', 'Come now'],
    ['Come, {{first_name}}!', 'Come, Ana!', 'Come!'],
    ['Come, {{first_name}}', 'Come, Ana', 'Come'],
    ['a\n{{first_name}}: b', 'a\nAna: b', 'a\nb'],
    ['EXERCISE: {{first_name}}, come', 'EXERCISE: Ana, come', 'EXERCISE: come'],
    ['Hi {{first_name}} {{link}}', 'Hi Ana L', 'Hi L'],
    ['{{first_name}}{{link}}', 'AnaL', 'L'],
    ['النهر يرتفع، {{first_name}}. غادروا', 'النهر يرتفع، Ana. غادروا', 'النهر يرتفع. غادروا'],
    ['{{first_name}}، غادروا', 'Ana، غادروا', 'غادروا'],
    ['{{first_name}}，请离开。', 'Ana，请离开。', '请离开。'],
  ])('%j', (text, withName, without) => {
    const template = parseTemplate(text);
    expect(fillTemplate(template, { firstName: 'Ana', link: 'L' })).toBe(withName);
    expect(fillTemplate(template, { firstName: '', link: 'L' })).toBe(without);
  });

  it('escapes values alone', () => {
    expect(fillTemplate(['<b>', { slot: 'name' }, '</b>'], { name: '<i>' }, (v) => v.replaceAll('<', '&lt;'))).toBe('<b>&lt;i></b>');
  });
});
