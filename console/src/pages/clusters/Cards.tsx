import { Component } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Cluster } from '../../api';
import { StateBadge, Tag, tc, useWindow } from '../../components';
import { lang } from '../../i18n';
import { Link } from '../../router';
import { useAlarms } from './alarms';
import { Pick, type Selection } from './List';
import { Alarms, Connections, NodesReady, reasonOf } from './parts';
import { t } from './words';

const cardHeight = 168;
const gap = 12;
const narrowest = 280;

/** Cards have one height, so that only those in sight are in the document. */
export function Cards({ list, selection }: { list: Cluster[]; selection: Selection | undefined }) {
  const box = useRef<HTMLDivElement>(null);
  const [across, setAcross] = useState(1);
  useEffect(() => {
    const el = box.current;
    if (!el) return undefined;
    const look = new ResizeObserver(() => setAcross(Math.max(1, Math.floor((el.clientWidth + gap) / (narrowest + gap)))));
    look.observe(el);
    return () => look.disconnect();
  }, []);
  const lines = Math.ceil(list.length / across);
  const [from, to] = useWindow(box, lines, cardHeight + gap, 3);
  const shown = list.slice(from * across, to * across);
  useAlarms(shown);
  return (
    <div ref={box} class="cluster-cards" style={{ height: `${lines * (cardHeight + gap) - gap}px` }}>
      <ul class="cluster-cards-in" aria-label={t('clusters.title')}
        style={{ transform: `translateY(${from * (cardHeight + gap)}px)`, gridTemplateColumns: `repeat(${across}, minmax(0, 1fr))`,
          gridAutoRows: `${cardHeight}px` }}>
        {shown.map((c) => <li key={c.id}><Card of={c} selection={selection} in={lang.value} /></li>)}
      </ul>
    </div>
  );
}

type CardProps = { of: Cluster; selection: Selection | undefined; in: string };

/** Card draws itself anew only for another record or another selection: scrolling makes neither. */
class Card extends Component<CardProps> {
  override shouldComponentUpdate(next: CardProps) {
    return next.of !== this.props.of || next.selection !== this.props.selection || next.in !== this.props.in;
  }

  render(props: CardProps) {
    return <CardContent {...props} />;
  }
}

function CardContent({ of: c, selection }: CardProps) {
  return (
    <article class={c.status.stale ? 'card row-stale' : 'card'} aria-label={c.name}>
      <div class="row">
        {selection && <Pick of={c} selection={selection} />}
        <Link to={`/clusters/${c.id}`} class="card-title clip grow" title={c.name}>{c.name}</Link>
        <StateBadge status={c.status} />
      </div>
      <p class="faint small clip" title={c.status.message || c.project}>{reasonOf(c) || c.project}</p>
      <Connections of={c} />
      <div class="card-facts">
        <span><span class="faint small">{tc('c.nodes')}</span><NodesReady of={c} /></span>
        <span><span class="faint small">{tc('c.version')}</span><span>{c.version || '–'}</span></span>
        <span><span class="faint small">{t('clusters.alarms')}</span><Alarms of={c} /></span>
        <span><Tag>{t(`clusters.${c.mode}`)}</Tag></span>
      </div>
    </article>
  );
}
