package emqxhttp

import (
	"context"
	"net/http"
)

// SendDetached sends a last request with an Authorization header and ignores its outcome.
// The contexts of all calls may have ended by then, so it has a time limit of its own.
func (c *Client) SendDetached(r Request, header string) {
	detached := context.Background() //nolint:forbidigo // it is the detached part of a shutdown
	ctx, cancel := context.WithTimeoutCause(detached, closeTimeout, errTimeout)
	defer cancel()
	resp, err := c.send(ctx, r, header, func(resp *http.Response) error {
		_, err := read(resp, maxRefusal)
		return err
	})
	if err == nil {
		_ = resp.Body.Close()
	}
}
