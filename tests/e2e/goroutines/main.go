// SPDX-License-Identifier: Apache-2.0
// What is asked for is asked of others: net/http writes in goroutines of its own, go-redis in that of the caller.
// `goroutines HTTP-PORT [REDIS-PORT]`.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/redis/go-redis/v9"
)

func fetch(url string) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

func main() {
	if len(os.Args) < 2 {
		fmt.Println("usage: goroutines HTTP-PORT [REDIS-PORT]")
		return
	}
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 64
	var store *redis.Client
	if len(os.Args) > 2 {
		store = redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + os.Args[2], Protocol: 2, DisableIdentity: true})
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		err := fetch("http://127.0.0.1:" + os.Args[1] + r.URL.Path)
		if err == nil && store != nil {
			err = store.Get(r.Context(), r.URL.Path).Err()
		}
		if err != nil && err != redis.Nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		io.WriteString(w, "ok")
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("ready", listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, nil))
}
