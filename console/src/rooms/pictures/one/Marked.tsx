import { useState } from 'react';

import { percent } from '../../../format/numbers';
import { type Found, lookOf, share } from '../boxes';
import type { Upload } from '../uploads';
import classes from './Marked.module.css';

/** More captions than this hide the picture; pointing at an object shows its own. */
const MOST_CAPTIONS = 10;

interface Props {
  readonly upload: Upload;
  readonly objects: readonly Found[];
  /** The object that is pointed at in the list; the others step back. */
  readonly pointed: Found | null;
  readonly withText: boolean;
}

/** The picture with what was found drawn over it. */
export function Marked({ upload, objects, pointed, withText }: Props) {
  const [broken, setBroken] = useState(false);
  const { links, name, width, height } = upload;
  if (links.picture === null || width === null || height === null) return null;
  if (broken) return <p>The picture’s file is gone from the server; what was found is kept.</p>;
  return (
    <figure className={classes.figure} style={{ aspectRatio: `${width} / ${height}` }}>
      <img
        src={links.picture}
        alt={name}
        width={width}
        height={height}
        className={classes.picture}
        onError={() => setBroken(true)}
      />
      <svg viewBox={`0 0 ${width} ${height}`} className={classes.marks} aria-hidden="true">
        {withText &&
          upload.text?.lines.map((line, place) => (
            <polygon
              key={place}
              className={classes.text}
              points={line.quad.map((corner) => corner.join(',')).join(' ')}
            />
          ))}
        {objects.map((found, place) => (
          <Box key={place} found={found} quiet={pointed !== null && pointed !== found} />
        ))}
      </svg>
      {objects
        .filter((found, place) => (pointed === null ? place < MOST_CAPTIONS : found === pointed))
        .map((found, place) => (
          <Caption key={place} found={found} width={width} height={height} />
        ))}
    </figure>
  );
}

function Box({ found, quiet }: { readonly found: Found; readonly quiet: boolean }) {
  const { xmin, ymin, xmax, ymax } = found.box;
  const place = { x: xmin, y: ymin, width: xmax - xmin, height: ymax - ymin };
  return (
    <g className={classes.box} data-quiet={quiet} data-label={found.label}>
      <rect {...place} className={classes.halo} />
      <rect {...place} className={classes.line} stroke={lookOf(found.label).line} />
    </g>
  );
}

interface CaptionProps {
  readonly found: Found;
  /** Of the picture, in pixels. */
  readonly width: number;
  readonly height: number;
}

function Caption({ found, width, height }: CaptionProps) {
  const { line, ink } = lookOf(found.label);
  return (
    <span
      aria-hidden="true"
      className={classes.caption}
      style={{
        left: share(found.box.xmin, width),
        top: share(found.box.ymin, height),
        background: line,
        color: ink,
      }}
    >
      {found.label} {percent(found.score, 0)}
    </span>
  );
}
