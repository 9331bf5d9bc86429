// The peer in Go: an HTTP server with large bodies. `bodies [PORT] [HOST]`
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

const blocks = 160

func main() {
	port, host := "0", "127.0.0.1"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	if len(os.Args) > 2 {
		host = os.Args[2]
	}
	block := make([]byte, 65536)
	for i, x := 0, uint32(12345); i < len(block); i++ {
		x = x*1103515245 + 12345
		block[i] = byte(x >> 16)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	http.Serve(listener, http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if request.Method == "POST" {
			size, _ := io.Copy(io.Discard, request.Body)
			fmt.Fprint(response, size)
			return
		}
		for i := 0; i < blocks; i++ {
			response.Write(block)
		}
	}))
}
