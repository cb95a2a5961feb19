/** Where the SMS provider and push service listens on loopback. */
export interface CarrierPorts {
  readonly fast: number;
  readonly witness: number;
  readonly tls: number;
  readonly control: number;
}
