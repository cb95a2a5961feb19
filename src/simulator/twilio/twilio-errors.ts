import { type Answer, json } from '#simulator/http.ts';

interface TwilioError {
  readonly status: number;
  readonly message: (value: string) => string;
}

/** What Twilio answers, by its own code (twilio.com/docs/api/errors). `value` is the offending value. */
const ERRORS: Readonly<Record<number, TwilioError>> = {
  // The account SID or the token is wrong.
  20003: { status: 401, message: () => 'Authenticate' },
  20004: { status: 405, message: () => 'Method not allowed' },
  20404: { status: 404, message: (path) => `The requested resource ${path} was not found` },
  // There are more requests at once than the account may have.
  20429: { status: 429, message: () => 'Too Many Requests' },
  20500: { status: 500, message: () => 'Internal Server Error' },
  20503: { status: 503, message: () => 'Service Unavailable' },
  21211: { status: 400, message: (to) => `The 'To' number ${to} is not a valid phone number.` },
  21212: { status: 400, message: (from) => `The 'From' number ${from} is not a valid phone number, shortcode, or alphanumeric sender ID.` },
  // The account may not send to this country.
  21408: { status: 400, message: (to) => `Permission to send an SMS has not been enabled for the region indicated by the 'To' number: ${to}.` },
  21602: { status: 400, message: () => 'Message body is required.' },
  21603: { status: 400, message: () => "A 'From' phone number is required." },
  21604: { status: 400, message: () => "A 'To' phone number is required." },
  21606: {
    status: 400,
    message: (from) => `The 'From' phone number provided (${from}) is not a valid message-capable Twilio phone number for this destination.`,
  },
  21609: { status: 400, message: (url) => `The StatusCallback URL ${url} is not a valid URL.` },
  // The person has answered STOP to this sender.
  21610: { status: 400, message: () => 'Attempt to send to unsubscribed recipient' },
  21611: { status: 429, message: () => "This 'From' number has exceeded the maximum number of queued messages" },
  21612: { status: 400, message: (to) => `Message cannot be sent with the current combination of 'To' (${to}) and/or 'From' parameters` },
  21614: { status: 400, message: (to) => `'To' number is not a valid mobile number: ${to}` },
  21617: { status: 400, message: () => 'The concatenated message body exceeds the 1600 character limit.' },
};

/** Numbers that always fail, the same as in Twilio's own test mode (twilio.com/docs/iam/test-credentials). */
export const MAGIC_NUMBERS: Readonly<Record<string, number>> = {
  '+15005550001': 21211,
  '+15005550002': 21612,
  '+15005550003': 21408,
  '+15005550004': 21610,
  '+15005550009': 21614,
};

/** The body of an error as Twilio has it: {code, message, more_info, status}. */
export function twilioError(code: number, value = '', headers: Record<string, string> = {}): Answer {
  const { status, message } = ERRORS[code] ?? { status: 400, message: () => `Error ${code}` };
  return json(status, { code, message: message(value), more_info: `https://www.twilio.com/docs/errors/${code}`, status }, headers);
}
