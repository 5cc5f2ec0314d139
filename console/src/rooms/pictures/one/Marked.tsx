import { useState } from 'react';

import { percent } from '../../../format/numbers';
import { type Found, lookOf, share } from '../boxes';
import type { Upload } from '../uploads';
import classes from './Marked.module.css';

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
      {objects.map((found, place) => (
        <Caption
          key={place}
          found={found}
          width={width}
          height={height}
          quiet={pointed !== null && pointed !== found}
        />
      ))}
    </figure>
  );
}

interface BoxProps {
  readonly found: Found;
  readonly quiet: boolean;
}

function Box({ found, quiet }: BoxProps) {
  const { xmin, ymin, xmax, ymax } = found.box;
  const place = { x: xmin, y: ymin, width: xmax - xmin, height: ymax - ymin };
  return (
    <g className={classes.box} data-quiet={quiet} data-label={found.label}>
      <rect {...place} className={classes.halo} />
      <rect {...place} className={classes.line} stroke={lookOf(found.label).line} />
    </g>
  );
}

function Caption({ found, width, height, quiet }: BoxProps & { width: number; height: number }) {
  const { line, ink } = lookOf(found.label);
  return (
    <span
      aria-hidden="true"
      className={classes.caption}
      data-quiet={quiet}
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
