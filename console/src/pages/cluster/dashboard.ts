import { send, type Schemas } from '../../api';

/**
 * openDashboard opens the link in a new tab. Browsers let a page open tabs for a moment after a click only, so the tab
 * is opened before the link is there; it is cut off from this page before it is led anywhere.
 */
export async function openDashboard(id: string): Promise<boolean> {
  const tab = window.open('about:blank', '_blank');
  if (!tab) return false;
  tab.opener = null;
  try {
    const link = await send<Schemas['Link']>('POST', `clusters/${encodeURIComponent(id)}/dashboard`);
    tab.location.replace(link.url);
    return true;
  } catch (err) {
    tab.close();
    throw err;
  }
}
