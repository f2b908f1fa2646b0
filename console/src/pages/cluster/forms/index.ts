import type { ComponentType } from 'preact';
import type { FormProps } from '../ChangeDialog';
import type { ActionId } from '../words';
import { Connections, Describe, ImageForm, Remove, Repair, ReplicantsForm, Resize, Restart, Scale, ServiceAddress, Transfer } from './basic';
import { ConfigForm, EvacuationForm, HibernationForm, MaintenanceForm, NetworkForm, PlacementForm } from './rest';

type Entry = { form: ComponentType<FormProps>; pointers: string[] };

/** forms of the actions that have one, with the fields that they show errors of. */
export const forms: Partial<Record<ActionId, Entry>> = {
  restart: { form: Restart, pointers: [] },
  repair: { form: Repair, pointers: [] },
  delete: { form: Remove, pointers: [] },
  describe: { form: Describe, pointers: ['/name', '/description'] },
  scale: { form: Scale, pointers: ['/spec/nodes'] },
  resize: { form: Resize, pointers: ['/spec/size'] },
  image: { form: ImageForm, pointers: ['/spec/image'] },
  connections: { form: Connections, pointers: ['/spec/connections'] },
  replicants: { form: ReplicantsForm, pointers: ['/spec/replicants/nodes', '/spec/replicants/size'] },
  transfer: { form: Transfer, pointers: ['/project'] },
  serviceAddress: { form: ServiceAddress, pointers: ['/spec/serviceAddress'] },
  evacuation: { form: EvacuationForm, pointers: ['rate', 'deadline', 'onDeadline'].map((f) => `/spec/evacuation/${f}`) },
  hibernation: { form: HibernationForm, pointers: ['sleep', 'wake', 'timeZone'].map((f) => `/spec/hibernation/${f}`) },
  maintenance: { form: MaintenanceForm, pointers: ['/spec/maintenance/windows', '/spec/maintenance/timeZone'] },
  placement: { form: PlacementForm, pointers: ['/spec/placement/nodeSelector', '/spec/placement/tolerations'] },
  config: { form: ConfigForm, pointers: ['/spec/config'] },
  network: {
    form: NetworkForm,
    pointers: ['type', 'loadBalancerClass', 'listeners', 'certificate', 'annotations'].map((f) => `/spec/network/${f}`),
  },
};
