package emqxhttp

import "sync"

// maxParallel is how many requests of one call run at once.
const maxParallel = 8

// Parallel calls do for 0 to n-1, a few at a time, and waits for all calls.
func Parallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, maxParallel) {
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
