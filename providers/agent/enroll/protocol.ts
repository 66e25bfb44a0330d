/** What goes over the wire between a host that enrols and the fleet's authority: JSON over HTTPS. */

/** Name in the certificate of the authority's server. */
export const AUTHORITY_NAME = "enrolment";

/** Answer of `GET /v1/hello`: who serves, what it speaks, and what time it has. */
export interface Hello {
  readonly protocol: string;
  readonly nowMs: number;
}

/** Body of `POST /v1/enroll`. */
export interface EnrollBody {
  readonly id: string;
  readonly secret: string;
  /** PKCS #10, PEM. */
  readonly csr: string;
}

/** Body of `POST /v1/renew`; who asks is proven by the certificate that is to be renewed. */
export interface RenewBody {
  readonly csr: string;
}

/** Answer of both. */
export interface Granted {
  /** PEM. */
  readonly certificate: string;
  /** Of the authority, PEM. */
  readonly ca: string;
}
