package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// once sends a creation with an idempotency key, and gives the id it is
// answered with; the error is that of the connection.
func (d *daemon) once(key, body string) (string, error) {
	r, err := http.NewRequest(http.MethodPost, d.url+"/api/v1/clusters", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+d.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	resp, err := d.http.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusAccepted && resp.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("answered with %d %s", resp.StatusCode, b)
	}
	var c struct{ ID string }
	err = json.Unmarshal(b, &c)
	return c.ID, err
}

// Twenty clients send the same creation with one key; the daemon is killed
// while they do, after so many answers, and they all send it again to the next:
// there is one cluster, and every answer is about that.
func TestOneKeyOneClusterOverAKill(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for round, after := range []int{0, 1, 3, 10} {
		key := fmt.Sprintf("round-%d", round)
		body := fmt.Sprintf(`{"mode":"hosted","name":"%s","spec":{"nodes":1,"connections":10}}`, key)
		var mu sync.Mutex
		ids := map[string]int{}
		all := func(d *daemon, survives bool) {
			if after == 0 && !survives {
				defer time.AfterFunc(3*time.Millisecond, d.Kill).Stop()
			}
			var group sync.WaitGroup
			for range 20 {
				group.Go(func() {
					id, err := d.once(key, body)
					if err != nil {
						assert.False(t, survives, "%v", err)
						return
					}
					mu.Lock()
					ids[id]++
					enough := !survives && ids[id] == after
					mu.Unlock()
					if enough {
						d.Kill()
					}
				})
			}
			group.Wait()
		}
		d := dev(t, data)
		all(d, false)
		d.Kill()

		d = dev(t, data)
		all(d, true)
		require.Len(t, ids, 1, "round %d", round)
		list, err := d.try("GET", "/api/v1/clusters?q="+key, "")
		require.NoError(t, err)
		var page struct{ Items []struct{ ID string } }
		require.NoError(t, json.Unmarshal(list.body, &page))
		require.Len(t, page.Items, 1)
		for id, n := range ids {
			require.Equal(t, page.Items[0].ID, id)
			require.GreaterOrEqual(t, n, 20)
			t.Logf("killed after %d answers: %d of 40 were answered", after, n)
		}
		d.Kill()
	}
}
