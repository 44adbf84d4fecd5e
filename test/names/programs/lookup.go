// Prints the addresses of a name as Go's own resolver gives them, one a line; with "many N" looks N names up at the same time and prints how many failed.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
)

func main() {
	resolver := &net.Resolver{PreferGo: true}
	if len(os.Args) > 3 && os.Args[1] == "many" {
		count, _ := strconv.Atoi(os.Args[2])
		var failed int64
		var all sync.WaitGroup
		for i := 0; i < count; i++ {
			all.Add(1)
			go func() {
				defer all.Done()
				found, err := resolver.LookupHost(context.Background(), os.Args[3])
				if err != nil || len(found) == 0 {
					atomic.AddInt64(&failed, 1)
				}
			}()
		}
		all.Wait()
		fmt.Println(failed, "failed")
		return
	}
	found, err := resolver.LookupHost(context.Background(), os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, address := range found {
		fmt.Println(address)
	}
}
