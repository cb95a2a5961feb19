/** What one job carries: the usual way is to put the whole message into it. */
export interface TextbookJob {
  readonly recipient: number;
  readonly address: string;
  readonly link: string;
  readonly text: string;
}
