/** What one job carries. The usual way is to put the whole message into it. */
export interface TextbookJob {
  readonly recipient: number;
  readonly address: string;
  readonly link: string;
  readonly text: string;
}
