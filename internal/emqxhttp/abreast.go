package emqxhttp

import "sync"

// mostAbreast is how many requests of one call are under way at once.
const mostAbreast = 8

// Abreast does n things, a few at a time, and waits for all of them.
func Abreast(n int, do func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, mostAbreast) {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
