import { expect, test } from 'vitest';
import { parseAnswerText } from './answer-text.ts';

const YES_NO = [
  { key: 'yes', label: 'Yes, I come', counts: true },
  { key: 'no', label: 'No' },
  { key: 'later', label: 'Later' },
];
const FLOOD = [
  { key: 'safe', label: 'Safe' },
  { key: 'help', label: 'Need help' },
];
const CALLOUT = [
  { key: 'a', label: 'Available', counts: true },
  { key: 'l', label: 'Later' },
  { key: 'n', label: 'Not available' },
];
const LEVELS = [
  { key: '3', label: 'None' },
  { key: '1', label: 'Normal' },
  { key: '2', label: 'Low' },
];
const unclear = undefined;

type Row = [text: string, key: string | undefined, time?: string | number | undefined, note?: string | undefined];
const read = (text: string, options: typeof YES_NO | typeof FLOOD) => {
  const parsed = parseAnswerText(text, options);
  return parsed.kind === 'unclear' ? [undefined] : [parsed.key, parsed.etaClock ?? parsed.etaMinutes, parsed.note ?? undefined];
};
const same = (actual: unknown[], [, ...expected]: Row) =>
  expect([...actual, undefined, undefined].slice(0, 3)).toEqual([...expected, undefined, undefined].slice(0, 3));

test.each<Row>([
  ['1', 'yes'],
  [' 1 ', 'yes'],
  ['1.', 'yes', undefined, undefined],
  ['(2)', 'no'],
  ['#2', 'no'],
  ['Option 2', 'no'],
  ['3', 'later'],
  ['4', unclear],
  ['0', unclear],
  ['12', unclear],
  ['1 2', unclear],
  ['1 2 3', unclear],
  ['1 or 2', unclear],
  ['1,2', unclear],
  ['1/2', unclear],
  ['1 30', 'yes', 30],
  ['1 2 of us', 'yes', undefined, '2 of us'],
  ['Yes', 'yes'],
  ['YES!', 'yes', undefined, undefined],
  ['yesss', 'yes'],
  ['y', 'yes'],
  ['Yes, I come', 'yes'],
  ['yes i come', 'yes'],
  ['yeah', 'yes'],
  ['oui', 'yes'],
  ['Ja', 'yes'],
  ['sí', 'yes'],
  ['Nein', 'no'],
  ['nope', 'no'],
  ['No thanks', 'no', undefined, 'thanks'],
  ['sorry no', 'no'],
  ['Hi, yes', 'yes'],
  ['ok yes 20', 'yes', 20],
  ['ok', unclear],
  ['👍', unclear],
  ['thanks', unclear],
  ['', unclear],
  ['?', unclear],
  ['yes?', unclear],
  ['Y 30', 'yes', 30],
  ['Y30', 'yes', 30],
  ['y 30 need gear', 'yes', 30, '30 need gear'],
  ['yes 30 min', 'yes', 30],
  ['yes, 45 mins', 'yes', 45],
  ['yes in 2 hours', 'yes', 120],
  ['yes 2h', 'yes', 120],
  ['yes 1h30', 'yes', 90],
  ['yes 1 hr 30 min', 'yes', 90],
  ['yes in 1.5 hours', 'yes', 90],
  ['yes in half an hour', 'yes', 30],
  ['yes, in an hour', 'yes', 60],
  ['yes 20-30 min', 'yes', 30],
  ['yes ETA 25', 'yes', 25],
  ['yes ~20', 'yes', 20],
  ['yes 13:45', 'yes', '13:45'],
  ['yes at 1345', 'yes', '13:45'],
  ['yes by 6pm', 'yes', '18:00'],
  ['yes 6.30pm', 'yes', '18:30'],
  ['yes 12:15 am', 'yes', '00:15'],
  ['oui vers 13h30', 'yes', '13:30'],
  ['yes 2:30', 'yes', '2:30'],
  ['yes 3 people', 'yes', undefined, '3 people'],
  ['yes with 4 others in 20 min', 'yes', 20, 'with 4 others in 20 min'],
  ['yes tomorrow 9am', 'yes', undefined, 'tomorrow 9am'],
  ['yes between 13:00 and 14:00', 'yes', undefined, 'between 13:00 and 14:00'],
  ['yes call me on 07700900123', 'yes', undefined, 'call me on 07700900123'],
  ['yes where do we meet?', 'yes', undefined, 'where do we meet?'],
  ['yes but not before 6', unclear],
  ['yes if somebody drives me', unclear],
  ['yes maybe', unclear],
  ['yes no', unclear],
  ['yes later', unclear],
  ['no yes', unclear],
  ['no problem', unclear],
  ['no worries, coming', unclear],
  ['maybe', unclear],
  ['not sure', unclear],
  ['not coming', unclear],
  ['no but 18:00', 'no', '18:00', 'but 18:00'],
  ['no but I can in 2 hours', 'no', 120, 'but I can in 2 hours'],
  ['Later', 'later'],
  ['l after 15:00', 'later', '15:00', 'after 15:00'],
  ['I am on my way', unclear],
  ['Where is it?', unclear],
  ['Liked “Missing walker. Yes or no?”', unclear],
  ['We have got to STOP this bill', unclear],
])('yes/no/later: %s', (...row) => same(read(row[0], YES_NO), row));

test.each<Row>([
  ['2 need help', 'help'],
  ['need help', 'help'],
  ['safe', 'safe'],
  ['s', 'safe'],
  ['h', 'help'],
  ['2 need help, water in cellar', 'help', undefined, 'need help, water in cellar'],
  ['1 but my neighbour needs help', unclear],
  ['I need help', unclear],
  ['safe? no', unclear],
  ['yes', unclear],
])('safe/help: %s', (...row) => same(read(row[0], FLOOD), row));

test.each<Row>([
  ['A RV 13:45', 'a', '13:45', 'RV 13:45'],
  ['A 13:50', 'a', '13:50'],
  ['L after 15:00', 'l', '15:00', 'after 15:00'],
  ['a', 'a'],
  ['available 20', 'a', 20],
  ['not available', 'n'],
  ['Not available, sick', 'n', undefined, 'sick'],
  ['A or L', unclear],
])('callout: %s', (...row) => same(read(row[0], CALLOUT), row));

test.each<Row>([
  ['1', '1'],
  ['3', '3'],
  ['none', '3'],
  ['Normal', '1'],
  ['1 3', unclear],
])('keys that are numbers themselves: %s', (...row) => same(read(row[0], LEVELS), row));

test('a message without options reads nothing as an answer', () => {
  expect(parseAnswerText('yes', []).kind).toBe('unclear');
});
