/** shortName is the part of an EMQX node name that tells its nodes apart: names in Kubernetes are long. */
export function shortName(name: string): string {
  const host = name.slice(name.indexOf('@') + 1);
  if (/^[\d.:[\]a-f]+$/i.test(host)) return name;
  return host.split('.')[0] ?? name;
}

export function NodeName({ name }: { name: string }) {
  const short = shortName(name);
  return <span class="cl-nowrap" title={name}>{short}{short !== name && <span class="sr"> ({name})</span>}</span>;
}
