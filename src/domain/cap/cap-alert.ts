/** The words of CAP 1.2 (OASIS, 1 July 2010, section 3.2), letter by letter. */
export const STATUS = ['Actual', 'Exercise', 'System', 'Test', 'Draft'] as const;
export const MSG_TYPE = ['Alert', 'Update', 'Cancel', 'Ack', 'Error'] as const;
export const SCOPE = ['Public', 'Restricted', 'Private'] as const;
export const CATEGORY = ['Geo', 'Met', 'Safety', 'Security', 'Rescue', 'Fire', 'Health', 'Env', 'Transport', 'Infra', 'CBRNE', 'Other'] as const;
export const RESPONSE_TYPE = ['Shelter', 'Evacuate', 'Prepare', 'Execute', 'Avoid', 'Monitor', 'Assess', 'AllClear', 'None'] as const;
export const URGENCY = ['Immediate', 'Expected', 'Future', 'Past', 'Unknown'] as const;
export const SEVERITY = ['Extreme', 'Severe', 'Moderate', 'Minor', 'Unknown'] as const;
export const CERTAINTY = ['Observed', 'Likely', 'Possible', 'Unlikely', 'Unknown'] as const;

export const CAP_NAMESPACE = 'urn:oasis:names:tc:emergency:cap:1.2';

export interface CapNamedValue {
  valueName: string;
  value: string;
}

export interface CapArea {
  areaDesc: string;
  /** Each is "lat,lon lat,lon …", as written. */
  polygon: string[];
  /** Each is "lat,lon km", as written. */
  circle: string[];
  geocode: CapNamedValue[];
  altitude?: string;
  ceiling?: string;
}

export interface CapResource {
  resourceDesc: string;
  mimeType: string;
  size?: string;
  uri?: string;
  derefUri?: string;
  digest?: string;
}

export interface CapInfo {
  /** An RFC 3066 tag; where an alert has none, en-US is meant. */
  language?: string;
  category: (typeof CATEGORY)[number][];
  event: string;
  responseType: (typeof RESPONSE_TYPE)[number][];
  urgency: (typeof URGENCY)[number];
  severity: (typeof SEVERITY)[number];
  certainty: (typeof CERTAINTY)[number];
  audience?: string;
  eventCode: CapNamedValue[];
  effective?: string;
  onset?: string;
  expires?: string;
  senderName?: string;
  headline?: string;
  description?: string;
  instruction?: string;
  web?: string;
  contact?: string;
  parameter: CapNamedValue[];
  resource: CapResource[];
  area: CapArea[];
}

export interface CapAlert {
  identifier: string;
  sender: string;
  /** `YYYY-MM-DDThh:mm:ss±hh:mm` */
  sent: string;
  status: (typeof STATUS)[number];
  msgType: (typeof MSG_TYPE)[number];
  source?: string;
  scope: (typeof SCOPE)[number];
  restriction?: string;
  addresses?: string;
  code: string[];
  note?: string;
  /** `sender,identifier,sent`, several with spaces between. */
  references?: string;
  incidents?: string;
  info: CapInfo[];
}

/** A field of an alert that is wrong, and what would be right. */
export interface CapError {
  readonly field: string;
  readonly code: string;
  readonly detail: string;
}

/** The three values that name an alert among all others. */
export interface CapReference {
  sender: string;
  identifier: string;
  sent: string;
}

/** Reads `CapAlert.references`. @returns undefined where any part is not `sender,identifier,sent` */
export function parseReferences(references: string): CapReference[] | undefined {
  const parts = references.trim().split(/\s+/).filter(Boolean);
  const parsed = parts.map((part) => {
    const [sender, identifier, sent, ...rest] = part.split(',');
    return sender && identifier && sent && rest.length === 0 ? { sender, identifier, sent } : undefined;
  });
  return parsed.every((one) => one !== undefined) ? parsed : undefined;
}

export const formatReference = ({ sender, identifier, sent }: CapReference): string => `${sender},${identifier},${sent}`;

/** Writes a time with seconds and a numeric offset, never Z. UTC is written -00:00 (section 3.3.2). */
export const capTime = (time: Date): string => `${time.toISOString().slice(0, 19)}-00:00`;
