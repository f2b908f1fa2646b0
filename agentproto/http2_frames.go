package agentproto

// newsFrame announces new reports of an agent. Like goodbyeFrame it is HTTP/2's answer to a
// PING that was never sent, which the other side's HTTP/2 skips. It saves an open stream for
// each agent.
const newsFrame = "\x00\x00\x08\x06\x01\x00\x00\x00\x00reports\n"

// frameHead is the size of what stands before the payload of a frame of HTTP/2.
const frameHead = 9

// frames follows one direction of an HTTP/2 connection, from its first frame on, and
// knows where frames begin. It is not safe for use by several goroutines.
type frames struct {
	head    [frameHead]byte
	have    int  // bytes of head
	left    int  // bytes of the payload that are to come
	may     bool // the present frame is a newsFrame as far as it was seen
	whole   bool // there was a frame
	payload int  // bytes of the present frame's payload that were seen, if may
}

// between reports whether the next byte begins a frame, and not the first one.
func (f *frames) between() bool { return f.whole && f.have == 0 && f.left == 0 }

// follow takes the next bytes. It reports whether a newsFrame ended in them.
func (f *frames) follow(p []byte) (news bool) {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, len(p))
			news = f.take(p[:n]) || news
			p = p[n:]
			continue
		}
		n := copy(f.head[f.have:], p)
		f.have += n
		p = p[n:]
		if f.have == frameHead {
			f.left = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
			f.may, f.payload, f.have, f.whole = string(f.head[:]) == newsFrame[:frameHead], 0, 0, true
		}
	}
	return news
}

// take takes bytes of the present frame's payload.
func (f *frames) take(p []byte) (news bool) {
	f.left -= len(p)
	if !f.may {
		return false
	}
	begin := frameHead + f.payload
	f.payload += len(p)
	f.may = newsFrame[begin:begin+len(p)] == string(p)
	return f.may && f.left == 0
}
