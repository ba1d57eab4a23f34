/** What a document may ask for before the reader gives up on it, or on a part of it. */
export interface XmlLimits {
  /** Bytes of a whole document, after decompression. */
  readonly documentBytes: number;
  /** Bytes of one tag, comment or processing instruction. */
  readonly tagBytes: number;
  /** Bytes of one attribute's value. */
  readonly attributeBytes: number;
  /** Attributes of one element. */
  readonly attributes: number;
  /** Elements within one another. */
  readonly depth: number;
  /** Bytes of the NAME of a grid, cluster, host or metric: a file system's most. */
  readonly nameBytes: number;
  /** Bytes of the document type declaration, which is skipped. */
  readonly doctypeBytes: number;
  /** Bytes of one HOST element. */
  readonly hostBytes: number;
  /** Hosts in all clusters of a document. */
  readonly hosts: number;
  /** Metrics of one host. */
  readonly hostMetrics: number;
  /** Metrics in a whole document. */
  readonly metrics: number;
  /** EXTRA_ELEMENTs of one metric. */
  readonly extraElements: number;
  /** Clusters and grids in a document. */
  readonly clusters: number;
  /** Damaged places in a document before the rest of it is given up. */
  readonly damages: number;
  /** Bytes that are read a second time behind damaged places before the rest is given up. */
  readonly rereadBytes: number;
  /** Bytes of a damaged place that are kept for inspection. */
  readonly excerptBytes: number;
}

/** Far above what real gmonds send, and far below what would hurt. */
export const defaultXmlLimits: XmlLimits = {
  documentBytes: 256 * 1024 * 1024,
  tagBytes: 64 * 1024,
  attributeBytes: 16 * 1024,
  attributes: 32,
  depth: 10,
  nameBytes: 255,
  doctypeBytes: 64 * 1024,
  hostBytes: 4 * 1024 * 1024,
  hosts: 100_000,
  hostMetrics: 20_000,
  metrics: 2_000_000,
  extraElements: 256,
  clusters: 1000,
  damages: 1000,
  rereadBytes: 8 * 1024 * 1024,
  excerptBytes: 64 * 1024,
};
