// The peer: a UDP echo server in Go, without an allocation for each datagram. `udp [port]`
package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
)

func main() {
	port := 7006
	if len(os.Args) > 1 {
		port, _ = strconv.Atoi(os.Args[1])
	}
	address := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(address))
	if err != nil {
		panic(err)
	}
	conn.SetReadBuffer(1 << 22)
	conn.SetWriteBuffer(1 << 22)
	fmt.Println("listening on", conn.LocalAddr())
	buffer := make([]byte, 65536)
	for {
		length, peer, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			continue
		}
		conn.WriteToUDPAddrPort(buffer[:length], peer)
	}
}
