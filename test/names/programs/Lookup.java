import java.net.InetAddress;

/** Prints the addresses of a name as Java gives them, one a line. */
public final class Lookup {
  public static void main(String[] args) throws Exception {
    for (InetAddress address : InetAddress.getAllByName(args[0])) {
      String text = address.getHostAddress();
      System.out.println(text.equals("0:0:0:0:0:0:0:1") ? "::1" : text);
    }
  }
}
