// The peer in Go: the files of a folder over HTTP. `files FOLDER [PORT] [HOST]`
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	folder, port, host := ".", "0", "127.0.0.1"
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	if len(os.Args) > 2 {
		port = os.Args[2]
	}
	if len(os.Args) > 3 {
		host = os.Args[3]
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	http.Serve(listener, http.FileServer(http.Dir(folder)))
}
