package emqxhttp

import (
	"context"
	"net/http"
)

// Farewell sends a last request with a header Authorization, whatever becomes of
// it. It follows when the last call has ended, whose context may have, too: it
// has a bound of its own.
func (c *Client) Farewell(r Request, header string) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), farewell, errPatience) //nolint:forbidigo // it is the detached part of a shutdown
	defer cancel()
	resp, err := c.send(ctx, r, header, func(resp *http.Response) error {
		_, err := read(resp, mostRefusal)
		return err
	})
	if err == nil {
		_ = resp.Body.Close()
	}
}
